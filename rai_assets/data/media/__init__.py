"""Data sets whose rows name files: images, recordings, texts, videos, stored unchanged beside the table."""
