"""Stock nbgrader and stock otter, with which ours is compared: the same notebooks, and asserts as one writes them."""
