"""Wrong submissions: each is caught by the checks that ask for what is wrong, and by no other."""
