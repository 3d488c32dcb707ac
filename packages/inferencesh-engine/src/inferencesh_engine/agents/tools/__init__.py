"""The tools of agents: one runner per kind, found through the hook `inferencesh_tool_runner`."""
