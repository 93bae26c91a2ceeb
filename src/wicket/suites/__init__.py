"""Suites of cases: what is asked, how an answer is judged, what a comparison comes to. Pure."""
