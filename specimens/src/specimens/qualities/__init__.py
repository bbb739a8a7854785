"""What scanners, phones and fax machines make of a page; every change carries the boxes of the truth with it."""
