package import DbxLocalStore
package import DbxWire

/// What a client does whose cursor the server does not know any more: too old, or of another history.
package enum Relisting {
    /// Everything that was known is listed again, in the background; until then it counts, and what was changed here stays
    /// in any case. `page` is a listing's page that was asked for without a cursor: pulls go on from there. With the store's
    /// lock held.
    package static func begin(at page: ListingPage, in store: LocalStore) throws(StoreError) {
        try store.transaction {
            try store.markDirectoriesStale()
            try SyncMeta.setCursor(page.cursor, at: page.seq, in: store)
        }
    }
}
