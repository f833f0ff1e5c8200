"""Files of references on their way in: read, planned, applied, ruled upon, undone.

``reading`` knows the formats and no database; ``planning`` says what would become of each entry and writes nothing;
``applying``, ``ruling`` and ``undoing`` change the evidence, each in one transaction.
"""
