# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Squares
#
# A small assignment about numbers and their squares.

# %%
import math
import random

# %% [markdown]
# ### ❓ 1. Make the numbers
#
# **3 points**
#
# Make a list `numbers` of the whole numbers from 1 to 10, and let `total` be their sum.

# %% The answer
# %%time
numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
# !echo "a remark"
total = 55

# %%
# A quick check.
assert "numbers" in globals(), "There are no numbers yet."
assert len(numbers) == 10, f"There should be ten numbers, not {len(numbers)}."

# %%
# Graded by the autograder: 3 points.

# %% [markdown]
"""
### ❓ 2. Write the square

**5 points**

Write a function `square(x)` that returns the product of a number with itself.
"""

# %%
noisy_numbers = [number + random.random() for number in numbers]

# %%
def square(x):
    return x**2

# %% [markdown]
# ### ❓ 2. What do you remark?
#
# **2 points**
#
# How quickly do the squares grow, and what does that mean for large numbers?

# %% [markdown]
# They grow and grow.

# %% [markdown]
# ### ❓ 3. Draw the squares
#
# **3 points**
#
# Print one star for each unit of a square.

# %%
print('*' * square(4))
