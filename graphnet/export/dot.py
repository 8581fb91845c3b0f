def to_dot(graph, depth=None): return ""
