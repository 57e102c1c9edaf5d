"""Make the shipped proxy again from the shipped docked molecules: ``make artefacts`` calls this.

Writes weights (safetensors), model card, training molecules and test predictions. Another place can
be given for a trial: ``python scripts/fit_proxy.py /tmp/trial``.
"""

import sys
from pathlib import Path

import torch

from molgfn.cli.proxy import fit
from molgfn.config.resources import shipped_path

if __name__ == "__main__":
    # Sums over several threads differ in their last bits; one thread gives the same file again.
    torch.set_num_threads(1)
    fit(
        data=str(shipped_path("data", "parp1", "docked.csv")),
        target_column="PARP1_kcal_mol",
        output=Path(sys.argv[1]) if len(sys.argv) > 1 else shipped_path("proxy", "parp1"),
    )
