# docs
dist_doc_DATA += docs/google.md docs/writing-a-driver.md
