"""objects-service owns the care of stored documents and archives: integrity, retention, room on the disk.
It refuses to delete before a retention date, and needs no key: it never sees a content.
It tells everyone by `object_damage_found` when what is stored is not what was put.
"""
