def to_networkx(graph): return None
