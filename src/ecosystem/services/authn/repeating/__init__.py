"""The same request again under the same key."""
