extension OpenAPIDocument {
    /// An object schema; `required` are names, `optional` likewise, each with its schema.
    private static func object(_ required: KeyValuePairs<String, String>, optional: KeyValuePairs<String, String> = [:])
        -> String
    {
        let properties = (Array(required) + Array(optional)).map { "\"\($0.key)\": \($0.value)" }.joined(
            separator: ", ")
        let names = required.map { "\"\($0.key)\"" }.joined(separator: ", ")
        return "{ \"type\": \"object\", \"required\": [\(names)], \"properties\": { \(properties) } }"
    }

    private static func schemas(_ schemas: KeyValuePairs<String, String>) -> String {
        schemas.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ",\n")
    }

    private static func list(_ item: String) -> String { "{ \"type\": \"array\", \"items\": \(item) }" }

    private static let text = "{ \"type\": \"string\" }"
    private static let integer = "{ \"type\": \"integer\" }"
    private static let natural = "{ \"type\": \"integer\", \"minimum\": 0 }"
    private static let positive = "{ \"type\": \"integer\", \"minimum\": 1 }"
    private static let boolean = "{ \"type\": \"boolean\" }"
    private static let base64 = "{ \"type\": \"string\", \"contentEncoding\": \"base64\" }"
    private static let id = reference("Id")
    private static let blockID = reference("BlockId")
    private static let seq = reference("Seq")
    private static let time = reference("Timestamp")

    static let sessionSchemas = schemas([
        "Id": "{ \"type\": \"string\", \"pattern\": \"^[0-9a-f]{32}$\" }",
        "BlockId": "{ \"type\": \"string\", \"pattern\": \"^[0-9a-f]{64}$\" }",
        "Seq": natural,
        "Timestamp": integer,
        "Health": object(["status": "{ \"const\": \"ok\" }", "version": text]),
        "Problem": object(
            ["type": text, "title": text, "status": integer, "detail": text],
            optional: [
                "nodes": list(reference("NodeRow")), "entries": list(reference("EntryRow")), "missing": list(blockID),
                "common": seq, "mended": boolean,
            ]),
        "LoginRequest": object(["user": text, "password": text, "device": text]),
        "LoginResponse": object(["token": text, "user": id, "device": id]),
        "DeviceRow": object(["id": id, "name": text, "createdAt": time, "lastSeenAt": time, "current": boolean]),
        "SessionResponse": object([
            "user": id, "userName": text, "device": id, "deviceName": text, "org": id, "serverVersion": text,
            "root": id,
            "namespaces": list(reference("NamespaceGrant")),
        ]),
        "NamespaceGrant": object([
            "id": id, "role": "{ \"enum\": [\"owner\", \"writer\", \"reader\"] }", "rootNode": id, "head": seq,
            "quota": reference("Quota"), "keys": reference("NamespaceKeys"),
        ]),
        "NamespaceKeys": object(
            ["wrapKeys": list(reference("WrapKey"))], optional: ["currentWrapKey": id, "convergenceKey": base64]),
        "WrapKey": object(["id": id, "key": base64]),
        "Quota": object(["usedBytes": natural], optional: ["limitBytes": natural]),
    ])

    private static let nodeKind = """
        { "enum": ["file", "directory", "symlink", "fifo", "socket", "characterDevice", "blockDevice"] }
        """
    private static let owner = "{ \"type\": \"integer\", \"minimum\": 0, \"maximum\": 4294967295 }"

    static let rowSchemas = schemas([
        "NodeAttributes": object(
            [
                "mode": "{ \"type\": \"integer\", \"minimum\": 0, \"maximum\": 65535 }", "mtime": time, "ctime": time,
                "birthTime": time,
            ],
            optional: [
                "uid": owner, "gid": owner, "rdev": natural,
                "extendedAttributes": list(reference("ExtendedAttribute")),
            ]),
        "ExtendedAttribute": object(["value64": base64], optional: ["name": text, "name64": base64]),
        "NodeRow": "{ \"allOf\": ["
            + reference("NodeAttributes") + ", "
            + object(
                ["id": id, "seq": seq, "kind": nodeKind, "attributesSeq": seq, "contentSeq": seq],
                optional: [
                    "commit": id, "deleted": boolean, "encoding": natural, "size": natural, "contentHash": base64,
                    "target": text, "target64": base64,
                ]) + "] }",
        "EntryRow": object(
            ["parent": id, "seq": seq],
            optional: ["name": text, "name64": base64, "node": id, "commit": id, "leftUnseen": boolean]),
        "Extent": object(["offset": natural, "length": positive, "block": blockID, "blockOffset": natural]),
        "SegmentRow": object(["node": id, "index": natural, "seq": seq, "extents": list(reference("Extent"))]),
        "BlockRow": object(["id": blockID, "seq": seq, "wrap": reference("BlockWrap")]),
        "BlockWrap": object(
            ["sealed": base64, "key": id, "plainBytes": natural, "storedBytes": positive], optional: ["base": blockID]),
        "ChangesPage": object([
            "nodes": list(reference("NodeRow")), "entries": list(reference("EntryRow")),
            "segments": list(reference("SegmentRow")), "blocks": list(reference("BlockRow")), "cursor": text,
            "seq": seq, "complete": boolean, "quota": reference("Quota"),
        ]),
        "ListingPage": object(
            [
                "entries": list(reference("EntryRow")), "nodes": list(reference("NodeRow")),
                "segments": list(reference("SegmentRow")), "blocks": list(reference("BlockRow")), "seq": seq,
                "cursor": text,
            ], optional: ["next": text]),
        "NodesPage": object([
            "nodes": list(reference("NodeRow")), "entries": list(reference("EntryRow")),
            "segments": list(reference("SegmentRow")), "blocks": list(reference("BlockRow")), "seq": seq,
        ]),
    ])

    static let commitSchemas = schemas([
        "CommitRequest": object(
            [
                "id": id, "nodes": list(reference("NodeChange")), "entries": list(reference("EntryChange")),
                "directoryTimes": list(reference("DirectoryTime")), "blocks": list(reference("CommittedBlock")),
            ], optional: ["cursor": text]),
        "NodeChange": object(
            ["id": id, "kind": nodeKind],
            optional: ["attributes": reference("AttributesChange"), "content": reference("ContentChange")]),
        "AttributesChange": object(["base": seq, "state": reference("NodeAttributes")], optional: ["target": base64]),
        "ContentChange": object(
            ["base": seq, "size": natural, "mtime": time, "ctime": time, "segments": list(reference("SegmentChange"))],
            optional: ["contentHash": base64]),
        "SegmentChange": object(
            ["index": natural, "extents": list(reference("Extent"))], optional: ["base": reference("SegmentBase")]),
        "SegmentBase": object(
            ["digest": base64, "holes": list(reference("FileRange"))], optional: ["moves": reference("SegmentMoves")]),
        "SegmentMoves": object(["ranges": list(reference("MovedRange"))], optional: ["node": id]),
        "MovedRange": object(["offset": natural, "length": positive, "from": natural]),
        "FileRange": object(["offset": natural, "length": positive]),
        "EntryChange": object(
            ["parent": id, "base": seq],
            optional: [
                "name": text, "name64": base64, "node": id, "lastContent": seq, "hasOtherName": boolean,
            ]),
        "DirectoryTime": object(["node": id, "mtime": time, "explicit": boolean]),
        "CommittedBlock": object(["id": blockID, "wrap": reference("BlockWrap")], optional: ["body": base64]),
        "CommitResult": object(["seq": seq, "quota": reference("Quota")], optional: ["cursor": text]),
    ])

    static let transferSchemas = schemas([
        "UploadRequest": object([
            "blocks": "{ \"type\": \"array\", \"maxItems\": 1000, \"items\": \(reference("OfferedBlock")) }"
        ]),
        "BlocksRequest": object([
            "blocks": "{ \"type\": \"array\", \"minItems\": 1, \"maxItems\": 256, \"items\": \(blockID) }"
        ]),
        "OfferedBlock": object(["id": blockID, "storedBytes": positive]),
        "UploadResponse": object(["grants": list(reference("UploadGrant"))]),
        "UploadGrant": object(["id": blockID], optional: ["upload": reference("SignedUpload")]),
        "SignedUpload": object([
            "url": text, "headers": "{ \"type\": \"object\", \"additionalProperties\": \(text) }", "expiresAt": time,
        ]),
        "PackResponse": object(["stored": list(boolean)]),
        "ChangeNotice": object(["namespace": id, "seq": seq]),
        "PollResponse": object(["changes": list(reference("ChangeNotice"))]),
        "RevisionRow": object(
            ["seq": seq, "size": natural, "mtime": time, "committedAt": time, "device": id, "deviceName": text],
            optional: ["contentHash": base64]),
        "RevisionsPage": object(["revisions": list(reference("RevisionRow"))], optional: ["next": seq]),
    ])
}
