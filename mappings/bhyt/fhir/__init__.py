"""The insurance tables and FHIR R4, both ways: one visit becomes resources, a record becomes the tables of one visit.

`visit_to_outcome` reads, `record_to_visit` writes; between them nothing is lost: what the natural mapping of a row does not
give back is kept as written with the row's main resource (`as_written`). The ids are those HL7 v2 gives the same numbers.

A table is added so: write a module with `read(case, rows)` and `write(dossier)` and a `TABLE = TableMap(name, read, write,
MAPPED)`, and put it into `frame.TABLES`.

- `read` makes resources with `case.add`, refers to people and places with `case.practitioner`, `case.organization`,
  `case.department`, keeps facts that papers ask for with `case.field`, `case.text_field`, `case.code_field`, and gives one main
  resource per row, each another one, with `case.row_identifier(n)` among its identifiers when the table is a list. The Patient
  (`case.patient`) and the Encounter (`case.encounter`) are there before, from XML1 or whatever table names them; a table may
  complete them through `case.get`.
- `write` finds the rows again with `dossier.rows(name, "ChargeItem", …)` and gives (main resource, row); of a record that did
  not come as XML it makes rows of what is there. Fields of the person, the cards, the stay and the diagnoses that tables
  repeat come from `person.identity`, `person.cards`, `stay.stay`, `stay.diagnoses`.
- `MAPPED` has every field of the table under any decision, save DU_PHONG, which the frame keeps itself.
- The property in `tests/unit/bhyt/test_fhir_lossless.py` covers it at once; add the fields of a clean row that have to be kept
  as written, with the reason, to the test that lists them.
"""

from mappings.bhyt.fhir.frame import record_to_visit, visit_to_outcome

__all__ = ["record_to_visit", "visit_to_outcome"]
