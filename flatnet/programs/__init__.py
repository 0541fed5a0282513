"""The programs and images that hosts need, and the sources they come from."""
