"""Which URLs belong to a crawl: seeds, borders, patterns, and rules that rewrite links.

`scope` judges a URL, `seeds` reads what the user named, `patterns` tells the shape of a URL, `rewrite` strips what
makes two URLs of one page. Pure but for reading site lists. Imports settings and the floor.
"""
