"""Networks: what a backbone is, the supernet over it, and the branched network of a tree.

- `nas.networks.backbone`: the protocol that any object can satisfy: stem, blocks, taps, heads.
- `nas.networks.supernet`: candidates of every block, mixed by a routing that is passed in.
- `nas.networks.branched`: the discrete network of a branch tree, and the part of it that some tasks need.
"""
