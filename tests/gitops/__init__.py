"""Tests of how GitOps tools see our objects, with the engines that the tools themselves use."""
