"""How the documentation's site is made from the repository."""
