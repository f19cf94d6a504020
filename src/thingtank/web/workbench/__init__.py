"""The workbench: pages on which people add devices and watch them. No models."""
