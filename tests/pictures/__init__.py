"""The documentation's pictures: drawn from the text files in docs/pictures, each for a light and a dark page."""
