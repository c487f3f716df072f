"""What the pages of the lab are made of: tables, pictures, sheets of pictures and HTML."""
