"""Apps that every engine serves besides its user's own; each folder is an app like anyone's."""
