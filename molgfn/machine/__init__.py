"""The machine underneath: processes, files, databases, devices, what is remembered."""
