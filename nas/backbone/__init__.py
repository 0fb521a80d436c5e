"""What a backbone is: a protocol that any object can satisfy; and one whose first part is frozen."""

from nas.backbone.frozen import FrozenPrefix
from nas.backbone.protocol import Backbone

__all__ = ["Backbone", "FrozenPrefix"]
