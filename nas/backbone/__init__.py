"""What a backbone is: a protocol that any object can satisfy."""

from nas.backbone.protocol import Backbone

__all__ = ["Backbone"]
