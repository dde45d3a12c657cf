"""A configuration for commands that read one and call nobody."""


def config(**models):
    """The YAML text; each model's words go behind its name, address and provider."""
    lines = "".join(
        f'  - {{name: {name}, provider: openai, base_url: "http://localhost:8000/v1", model: {name}-1, {words}}}\n' for name, words in models.items()
    )
    return f"""\
kafka: {{brokers: "localhost:9092", group: g}}
input: {{topics: [tickets]}}
output: {{responses: r, decisions: d, dead_letters: x}}
models:
{lines}policy: policy.yaml
"""
