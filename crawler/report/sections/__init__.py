"""The sections of the HTML report, a module for each group, and the markup that they are made of.

Imports the facts of the report and its charts.
"""
