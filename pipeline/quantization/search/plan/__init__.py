"""What is searched: space, blocks, score and prices, checked before anything is trained."""
