"""What laboratories say beside HL7 v2 as FHIR R4 resources, with an account of every field: instruments and tables.

Results of an instrument (ASTM E1394, CLSI LIS2-A2) and rows of a table go the way of HL7 v2: they become the segments of a
result message (ORU^R01), which `mappings.hl7v2` maps. So the same numbers give the same ids, and what an instrument and the
hospital's laboratory system say of one specimen meets in one report. Where an instrument writes otherwise than the standard is
data: `profiles/*.toml`, and a site's own in `site/lab/`; so is the layout of a table.

- `astm` (a message to its outcome), `profiles` (dialects), `fields` (what every field is, and the account), `groups` (person by
  person, order by order), `matching` (results to the orders of the record), `translation` (records to segments), `control`
  (results of quality control: of a lot, never of a person)
- `layout` (what the columns of a table mean), `rows` (a table taken apart into reports), `report` (a report to its outcome)
- `asked` (by what a message finds its person and its orders, what a question asks for)
"""
