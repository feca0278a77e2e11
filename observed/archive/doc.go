// Package archive packs trees of volumes into archives, and unpacks archives into them: tar.gz, tar.zst, tar
// and zip.
//
// What it promises of archives that anybody may have made:
//
//   - No entry is outside of the directory that it is unpacked into: an archive with an absolute path or a ".."
//     is refused as a whole.
//   - A link is unpacked only where it is relative and stays inside; others, devices and pipes are passed over
//     and reported. A hard link is one to a file of the same archive. No entry is unpacked through a link.
//   - What is unpacked is bounded by the room of the volume, by MaxEntries and by the depth of a tree. It takes
//     memory for one buffer; of a ZIP for its directory, which has at most 16 MiB, of zstd for a window of at most 32 MiB.
//   - An archive that is damaged, too large or refused leaves nothing behind.
package archive
