// Package trash removes directories that hostile programs have filled. A directory is renamed into
// the trash at once and removed in the background, however deep and large it is: each directory in
// it is first moved to the top, so that no path is longer than two names and three descriptors are
// enough. All of it goes through an os.Root, which no link leads out of.
package trash
