"""Reports as HTML, one file each: no script, nothing fetched, readable on a phone and at night. Pure."""
