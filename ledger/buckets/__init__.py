"""A ledger's leaves as Parquet files by place: what many workers read at once, each a little of it.

``claims export --parquet FOLDER`` writes them. A *bucket* is a stable hash of the place as written; what befell an entry
lies with the entry. Folders are paths or what fsspec knows. Bodies are left out.
"""
