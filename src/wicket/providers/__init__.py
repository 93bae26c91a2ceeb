"""The catalogue as data: provider rows, model facts, dated prices."""
