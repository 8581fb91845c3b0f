"""Graphs for other eyes and tools: DOT, networkx, tables, pictures."""
