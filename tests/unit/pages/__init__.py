"""The pages for people hold what is so: their YAML is taken by the API, and their tables are complete."""
