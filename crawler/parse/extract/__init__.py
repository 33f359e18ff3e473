"""What users ask of a page beyond its text: rules, a function of their own, the article, a SimHash.

`extractors` runs them after the parser, on trees of their own. Imports `parse/` and the floor.
"""
