#!/usr/bin/env python
# coding: utf-8

# # Squares
# 
# A small assignment about numbers and their squares.

# In[ ]:


import math
import random


# ### ❓ 1. Make the numbers
# 
# **3 points**
# 
# Make a list `numbers` of the whole numbers from 1 to 10, and let `total` be their sum.

# In[ ]:


numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
total = 55


# In[ ]:


# A look at them.
get_ipython().run_line_magic('matplotlib', 'inline')
print(numbers)


# In[ ]:


# A quick check.
assert "numbers" in globals(), "There are no numbers yet."
assert len(numbers) == 10, f"There should be ten numbers, not {len(numbers)}."


# In[ ]:


# Graded by the autograder: 3 points.


# ## Part 2. Squares
# 
# From numbers to what one can do with them.

# ### ❓ 2. Write the square
# 
# **5 points**
# 
# Write a function `square(x)` that returns the product of a number with itself.

# In[ ]:


noisy_numbers = [number + random.random() for number in numbers]


# In[ ]:


def square(x):
    return x**2


# In[ ]:


# A quick check.
assert callable(globals().get("square")), "There is no function square yet."
assert square(3) == 9, "The square of 3 is 9."


# In[ ]:


# Graded by the autograder: 5 points.


# ### ❓ 2. What do you remark?
# 
# **2 points**
# 
# How quickly do the squares grow, and what does that mean for large numbers?

# They grow and grow.

# ### ❓ 3. Draw the squares
# 
# **3 points**
# 
# Print one star for each unit of a square.

# In[ ]:


print('*' * square(4))


# In[ ]:


# Graded by the autograder: 3 points.


# ### ❓ 4. How good is it?
# 
# **1 point**
# 
# Here you have nothing to write.

# In[ ]:


# Graded by the autograder: 1 points.


# ## The end
# 
# Well done, whatever came out of it.
