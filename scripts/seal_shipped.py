"""Write the digests of all files that ship: ``SHA256SUMS`` in each of their folders.

``make artefacts`` calls this after each of its steps; call it after any change of such a file.
"""

from molgfn.config.resources import shipped_folders
from molgfn.machine.sealed import seal

if __name__ == "__main__":
    for folder in shipped_folders():
        seal(folder)
        print(f"sealed {folder}")
