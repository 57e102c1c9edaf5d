"""What the package asks of the machine: processes, files, databases, devices."""
