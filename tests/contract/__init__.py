"""The contract with Zoom, checked with the types and the code of Zoom's npm package `@zoom/rivet`."""
