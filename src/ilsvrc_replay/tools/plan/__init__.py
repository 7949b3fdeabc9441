"""How long a study takes on this machine, told before anything of it is trained."""
