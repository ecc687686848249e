"""The SDK that plugin authors import: task classes, their context, and the registry that finds them."""
