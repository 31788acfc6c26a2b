"""Telling people: rules of the declaration, one outbox, and the channels that it is sent through."""
