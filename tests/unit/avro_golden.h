/* Written by make_avro_golden.py with fastavro 1.13.1; not by hand. */

#include <stdint.h>

static const struct {
	const char *schema, *canonical;
	uint64_t fingerprint;
} canonical_cases[] = {
	{"\"null\"",
	 "\"null\"", UINT64_C(0x63dd24e7cc258f8a)},
	{"\"boolean\"",
	 "\"boolean\"", UINT64_C(0x9f42fc78a4d4f764)},
	{"\"int\"",
	 "\"int\"", UINT64_C(0x7275d51a3f395c8f)},
	{"\"long\"",
	 "\"long\"", UINT64_C(0xd054e14493f41db7)},
	{"\"float\"",
	 "\"float\"", UINT64_C(0x4d7c02cb3ea8d790)},
	{"\"double\"",
	 "\"double\"", UINT64_C(0x8e7535c032ab957e)},
	{"\"bytes\"",
	 "\"bytes\"", UINT64_C(0x4fc016dac3201965)},
	{"\"string\"",
	 "\"string\"", UINT64_C(0x8f014872634503c7)},
	{"{\"type\": \"int\"}",
	 "\"int\"", UINT64_C(0x7275d51a3f395c8f)},
	{"{\"type\": \"array\", \"items\": \"long\"}",
	 "{\"type\":\"array\",\"items\":\"long\"}", UINT64_C(0x5416c98ba22e5e71)},
	{"{\"type\": \"map\", \"values\": {\"type\": \"string\"}}",
	 "{\"type\":\"map\",\"values\":\"string\"}", UINT64_C(0x86ce965d92864572)},
	{"[\"null\", \"string\"]",
	 "[\"null\",\"string\"]", UINT64_C(0x9845f21eb77ec49d)},
	{"{\"type\": \"fixed\", \"name\": \"F\", \"size\": 16, \"namespace\": \"a.b\"}",
	 "{\"name\":\"a.b.F\",\"type\":\"fixed\",\"size\":16}", UINT64_C(0x1a642d4806ad71d1)},
	{"{\"type\": \"enum\", \"name\": \"a.b.E\", \"symbols\": [\"X\", \"Y\"], \"doc\": \"no\", \"default\": \"X\"}",
	 "{\"name\":\"a.b.E\",\"type\":\"enum\",\"symbols\":[\"X\",\"Y\"]}", UINT64_C(0x46e3c3e1a6591352)},
	{"{\"type\": \"record\", \"name\": \"Node\", \"fields\": [{\"name\": \"value\", \"type\": \"string\"}, {\"name\": \"next\", \"type\": [\"null\", \"Node\"], \"default\": null}]}",
	 "{\"name\":\"Node\",\"type\":\"record\",\"fields\":[{\"name\":\"value\",\"type\":\"string\"},{\"name\":\"next\",\"type\":[\"null\",\"Node\"]}]}", UINT64_C(0x24cf30c99fdb9a1f)},
	{"{\"type\": \"record\", \"name\": \"Ticket\", \"namespace\": \"shop\", \"aliases\": [\"Case\"], \"doc\": \"a ticket\", \"fields\": [{\"name\": \"id\", \"type\": \"long\"}, {\"name\": \"opened\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-micros\"}}, {\"name\": \"state\", \"type\": {\"type\": \"enum\", \"name\": \"State\", \"symbols\": [\"NEW\", \"OPEN\", \"DONE\"]}}, {\"name\": \"digest\", \"type\": {\"type\": \"fixed\", \"name\": \"Digest\", \"size\": 4}}, {\"name\": \"ticket\", \"type\": {\"type\": \"record\", \"name\": \"Body\", \"fields\": [{\"name\": \"subject\", \"type\": [\"null\", \"string\"], \"default\": null}, {\"name\": \"body\", \"type\": \"string\", \"aliases\": [\"text\"]}, {\"name\": \"lines\", \"type\": {\"type\": \"array\", \"items\": {\"type\": \"record\", \"name\": \"Line\", \"namespace\": \"shop.parts\", \"fields\": [{\"name\": \"sku\", \"type\": \"string\"}, {\"name\": \"n\", \"type\": \"int\"}]}}}]}}, {\"name\": \"labels\", \"type\": {\"type\": \"map\", \"values\": [\"null\", \"string\", \"double\"]}}, {\"name\": \"score\", \"type\": \"float\"}, {\"name\": \"weight\", \"type\": \"double\"}, {\"name\": \"urgent\", \"type\": \"boolean\"}, {\"name\": \"blob\", \"type\": \"bytes\"}, {\"name\": \"again\", \"type\": [\"null\", \"State\"]}, {\"name\": \"extra\", \"type\": [\"null\", \"shop.parts.Line\"]}, {\"name\": \"nothing\", \"type\": \"null\"}]}",
	 "{\"name\":\"shop.Ticket\",\"type\":\"record\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"opened\",\"type\":\"long\"},{\"name\":\"state\",\"type\":{\"name\":\"shop.State\",\"type\":\"enum\",\"symbols\":[\"NEW\",\"OPEN\",\"DONE\"]}},{\"name\":\"digest\",\"type\":{\"name\":\"shop.Digest\",\"type\":\"fixed\",\"size\":4}},{\"name\":\"ticket\",\"type\":{\"name\":\"shop.Body\",\"type\":\"record\",\"fields\":[{\"name\":\"subject\",\"type\":[\"null\",\"string\"]},{\"name\":\"body\",\"type\":\"string\"},{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":{\"name\":\"shop.parts.Line\",\"type\":\"record\",\"fields\":[{\"name\":\"sku\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"int\"}]}}}]}},{\"name\":\"labels\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"string\",\"double\"]}},{\"name\":\"score\",\"type\":\"float\"},{\"name\":\"weight\",\"type\":\"double\"},{\"name\":\"urgent\",\"type\":\"boolean\"},{\"name\":\"blob\",\"type\":\"bytes\"},{\"name\":\"again\",\"type\":[\"null\",\"shop.State\"]},{\"name\":\"extra\",\"type\":[\"null\",\"shop.parts.Line\"]},{\"name\":\"nothing\",\"type\":\"null\"}]}", UINT64_C(0xe445441f5769d087)},
};

static const char ticket_schema[] =
	"{\"type\": \"record\", \"name\": \"Ticket\", \"namespace\": \"shop\", \"aliases\": [\"Case\"], \"doc\": \"a ticket\", \"fields\": [{\"name\": \"id\", \"type\": \"long\"}, {\"name\": \"opened\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-micros\"}}, {\"name\": \"state\", \"type\": {\"type\": \"enum\", \"name\": \"State\", \"symbols\": [\"NEW\", \"OPEN\", \"DONE\"]}}, {\"name\": \"digest\", \"type\": {\"type\": \"fixed\", \"name\": \"Digest\", \"size\": 4}}, {\"name\": \"ticket\", \"type\": {\"type\": \"record\", \"name\": \"Body\", \"fields\": [{\"name\": \"subject\", \"type\": [\"null\", \"string\"], \"default\": null}, {\"name\": \"body\", \"type\": \"string\", \"aliases\": [\"text\"]}, {\"name\": \"lines\", \"type\": {\"type\": \"array\", \"items\": {\"type\": \"record\", \"name\": \"Line\", \"namespace\": \"shop.parts\", \"fields\": [{\"name\": \"sku\", \"type\": \"string\"}, {\"name\": \"n\", \"type\": \"int\"}]}}}]}}, {\"name\": \"labels\", \"type\": {\"type\": \"map\", \"values\": [\"null\", \"string\", \"double\"]}}, {\"name\": \"score\", \"type\": \"float\"}, {\"name\": \"weight\", \"type\": \"double\"}, {\"name\": \"urgent\", \"type\": \"boolean\"}, {\"name\": \"blob\", \"type\": \"bytes\"}, {\"name\": \"again\", \"type\": [\"null\", \"State\"]}, {\"name\": \"extra\", \"type\": [\"null\", \"shop.parts.Line\"]}, {\"name\": \"nothing\", \"type\": \"null\"}]}";

static const char tree_schema[] =
	"{\"type\": \"record\", \"name\": \"Node\", \"fields\": [{\"name\": \"value\", \"type\": \"string\"}, {\"name\": \"next\", \"type\": [\"null\", \"Node\"], \"default\": null}]}";

static const char ticket_row[] =
	"\xcd\x49\x80\x89\x81\x82\x83\x89\x85\x06\x02\x01\x02\x03\x04\x02\x14\x50\x72\x69\x6e\x74\x65\x72"
	"\x20\xc3\xbc\x12\x49\x74\x20\x62\x75\x72\x6e\x73\x2e\x04\x02\x61\x02\x02\x62\x03\x00\x06\x0e\x70"
	"\x72\x6f\x64\x75\x63\x74\x02\x04\x50\x31\x08\x6e\x6f\x6e\x65\x00\x0a\x72\x61\x74\x69\x6f\x04\x00"
	"\x00\x00\x00\x00\x00\xd0\x3f\x00\x00\x00\xc0\x3f\x9c\x75\x00\x88\x3c\xe4\x37\xfe\x01\x04\xff\x00"
	"\x02\x04\x02\x02\x7a\xfe\xff\xff\xff\x0f";
enum { ticket_row_bytes = 106 };

static const char request_row[] =
	"\x02\x04\x72\x31\x02\x08\x61\x63\x6d\x65\x00\x00\x00\x02\x04\x0c\x73\x79\x73\x74\x65\x6d\x10\x62"
	"\x65\x20\x62\x72\x69\x65\x66\x08\x75\x73\x65\x72\x0a\x68\x69\x20\xc3\xbc\x00\x04\x0e\x70\x72\x6f"
	"\x64\x75\x63\x74\x02\x78\x0a\x71\x75\x65\x75\x65\x04\x68\x77\x00\x02\x06\x00\x00\x80\x3f\x00\x00"
	"\x20\xc0\x00\x00\x00\x3e\x00\x02\x80\xc0\xe2\x85\xe3\x68\x03\x02\xc8\x01\x02\x00\x00\x00\x00\x00"
	"\x00\xe0\x3f\x02\x02\x06\x45\x4e\x44\x00\x02\x08\x6a\x73\x6f\x6e\x00\x00";
enum { request_row_bytes = 114 };
