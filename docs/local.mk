# docs
dist_doc_DATA += docs/google.md
