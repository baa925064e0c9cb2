"""FIFO links between subtasks."""
