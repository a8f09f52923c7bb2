"""What stock moto lacks, one module per place where it is patched."""
