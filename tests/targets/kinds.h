/* The parts of t_kinds. Each makes mappings and records their truth. */
#ifndef VMM_TARGETS_KINDS_H
#define VMM_TARGETS_KINDS_H

void kinds_images(const char *folder, const char *library);
void kinds_files(const char *folder, const char *library);
void kinds_names(const char *folder);
void kinds_shared(void);
void kinds_anonymous(void);
void kinds_special(void);
void kinds_threads(void);
void kinds_heap(void);

/* A new file folder/name of size bytes, open for reading and writing; its path in ret_path (4096 bytes). */
int kinds_file(const char *folder, const char *name, unsigned long size, char *ret_path);

#endif
