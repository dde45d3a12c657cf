#!/usr/bin/env python3
"""Runs the steps of deploy/Dockerfile without a container engine, in plain Debian roots made by debootstrap.

The one idea: RUN lines run in a chroot, COPY lines copy, the rest is printed. So a missing package or file shows here as it
would in `docker build`. It does not try ENTRYPOINT under an engine's isolation, and debootstrap's smallest system is not quite
the slim image: it has a few packages more.

    tests/scripts/try_image.py [--stage worker] [--work DIR]      as root, on Debian, with debootstrap installed
The last line names the root of the stage; try the program there: chroot DIR/worker pointsman version
"""
import argparse
import os
import shlex
import shutil
import subprocess
import sys

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))


def instructions(path):
    """(instruction, arguments) in order, continuation lines joined, comments dropped."""
    joined = ""
    for line in open(path, encoding="utf-8"):
        if line.lstrip().startswith("#"):
            continue
        joined += line.rstrip("\n")
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        if joined.strip():
            yield joined.strip().split(None, 1)
        joined = ""


def stages(path):
    """Stage name -> its instructions after FROM."""
    result, name = {}, None
    for word, rest in instructions(path):
        if word == "FROM":
            image, _, name = rest.split()
            if image != "debian:12-slim":
                sys.exit(f"try_image: only debian:12-slim is known, not {image}")
            result[name] = []
        else:
            result[name].append((word, rest))
    return result


def base_root(work):
    base = os.path.join(work, "base")
    if not os.path.isdir(os.path.join(base, "etc")):
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", base], check=True)
    return base


def copy(sources, root, directory, target):
    to = os.path.normpath(root + os.path.join(directory, target))
    for source in sources:
        if os.path.isdir(source):
            shutil.copytree(source, to, dirs_exist_ok=True, symlinks=True)
        elif target.endswith("/"):
            os.makedirs(to, exist_ok=True)
            shutil.copy(source, to)
        else:
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy(source, to)


def build(name, all_stages, work, done):
    if name in done:
        return done[name]
    root = os.path.join(work, name)
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "-a", base_root(work), root], check=True)
    shutil.copy("/etc/resolv.conf", os.path.join(root, "etc/resolv.conf"))
    directory = "/"
    for word, rest in all_stages[name]:
        print(f"[{name}] {word} {rest[:100]}", flush=True)
        if word == "WORKDIR":
            directory = rest
            os.makedirs(root + directory, exist_ok=True)
        elif word == "RUN":
            script = f"cd {shlex.quote(directory)} && {rest}"
            subprocess.run(["chroot", root, "/bin/sh", "-c", script], check=True, stdin=subprocess.DEVNULL,
                           env={"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin",
                                "DEBIAN_FRONTEND": "noninteractive"})
        elif word == "COPY":
            words, origin = rest.split(), TOP
            if words[0].startswith("--from="):
                origin = build(words.pop(0)[len("--from="):], all_stages, work, done)
            *sources, target = words
            copy([os.path.normpath(origin + "/" + source) for source in sources], root, directory, target)
    done[name] = root
    return root


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default="worker")
    parser.add_argument("--work", default="/var/tmp/pointsman-image")
    arguments = parser.parse_args()
    all_stages = stages(os.path.join(TOP, "deploy/Dockerfile"))
    if arguments.stage not in all_stages:
        parser.error(f"--stage: one of {', '.join(all_stages)}")
    os.makedirs(arguments.work, exist_ok=True)
    print(build(arguments.stage, all_stages, arguments.work, {}))


if __name__ == "__main__":
    main()
